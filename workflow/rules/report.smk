# From results.csv to a paper. Tables and figures compare the configured models; studies have their own CSVs.

TABLES = f"{RESULTS}/tables"
FIGURES = f"{RESULTS}/figures"
STATISTICS = f"{RESULTS}/statistics"
PAGE = f"{RESULTS}/page"
# Snakemake wants an output of every rule, asked for or not.
FORMATS = plan.config["report"]["figures"] or ["png"]


@ask
def statistics_place(wildcards, resources):
    return STATISTICS


@ask
def tables_place(wildcards, resources):
    return TABLES


@ask
def studies_place(wildcards, resources):
    return f"{RESULTS}/studies"


@ask
def figures_place(wildcards, resources):
    return FIGURES


@ask
def report_memory(wildcards, attempt):
    return needs.increase(needs.REPORT, attempt)


def compared_runs():
    return [run for model, _ in plan.compared for run in plan.runs(model=model)]


@ask
def compared_scores(wildcards):
    return scores_of(compared_runs())


@ask
def compared_losses(wildcards):
    trained = (run for run in compared_runs() if run.seed is not None)
    return [f"{plan.runs_root}/{run.path}/losses.parquet" for run in trained]


@ask
def statistics_job(wildcards):
    return job_parameters.statistics_job(plan)


@ask
def tables_job(wildcards):
    return job_parameters.tables_job(plan)


@ask
def figures_job(wildcards):
    return job_parameters.figures_job(plan)


@ask
def baseline_job(wildcards):
    return job_parameters.baseline_job(plan)


rule make_statistics:
    input:
        results=RESULTS_CSV,
        scores=compared_scores,
    output:
        averages=f"{STATISTICS}/averages.csv",
        comparisons=f"{STATISTICS}/comparisons.csv",
        variances=f"{STATISTICS}/variances.csv",
        ranks=f"{STATISTICS}/ranks.json",
    log:
        f"{RESULTS}/logs/make_statistics.log",
    benchmark:
        f"{RESULTS}/logs/make_statistics.benchmark.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=report_memory,
    params:
        job=statistics_job,
        folder=statistics_place,
        runs=runs_place,
    shell:
        "python scripts/make_statistics.py --results {input.results:q} --runs {params.runs:q} --job {params.job:q}"
        " --output {params.folder:q} 2> {log:q}"


rule make_tables:
    input:
        results=RESULTS_CSV,
        averages=f"{STATISTICS}/averages.csv",
        comparisons=f"{STATISTICS}/comparisons.csv",
        variances=f"{STATISTICS}/variances.csv",
        ranks=f"{STATISTICS}/ranks.json",
    output:
        [in_report(f"{TABLES}/{table.name}.html", table) for table in plan.tables()],
        expand(
            f"{TABLES}/{{table}}.{{ending}}",
            table=[table.name for table in plan.tables()],
            ending=["csv", "md", "tex"],
        ),
    log:
        f"{RESULTS}/logs/make_tables.log",
    benchmark:
        f"{RESULTS}/logs/make_tables.benchmark.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=report_memory,
    params:
        job=tables_job,
        statistics=statistics_place,
        folder=tables_place,
        runs=runs_place,
    shell:
        "python scripts/make_tables.py --results {input.results:q} --runs {params.runs:q}"
        " --statistics {params.statistics:q} --job {params.job:q}"
        " --output {params.folder:q} 2> {log:q}"


rule make_figures:
    input:
        results=RESULTS_CSV,
        averages=f"{STATISTICS}/averages.csv",
        comparisons=f"{STATISTICS}/comparisons.csv",
        variances=f"{STATISTICS}/variances.csv",
        ranks=f"{STATISTICS}/ranks.json",
        scores=compared_scores,
        losses=compared_losses,
    output:
        [
            in_report(f"{FIGURES}/{figure.name}.{ending}", figure)
            for figure in plan.figures()
            for ending in FORMATS
        ],
    log:
        f"{RESULTS}/logs/make_figures.log",
    benchmark:
        f"{RESULTS}/logs/make_figures.benchmark.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=report_memory,
    params:
        job=figures_job,
        statistics=statistics_place,
        folder=figures_place,
        formats=" ".join(FORMATS),
        runs=runs_place,
    shell:
        "python scripts/make_figures.py --results {input.results:q} --runs {params.runs:q}"
        " --statistics {params.statistics:q}"
        " --job {params.job:q} --output {params.folder:q} --endings {params.formats} 2> {log:q}"


@ask
def base_features(wildcards):
    run = plan.base_run(wildcards.model, Section.parse(wildcards.section))
    return plan.features_file(run.variant, run.section)


def base_file(name):
    """A file of the configured model's run with the first seed."""

    @ask
    def of_run(wildcards):
        run = plan.base_run(wildcards.model, Section.parse(wildcards.section))
        file = plan.model_file(wildcards.model) if name == "model" else name
        return f"{plan.runs_root}/{run.path}/{file}"

    return of_run


@ask
def clips_job(wildcards):
    return job_parameters.clips_job(plan, wildcards.model)


@ask
def clip_labels(wildcards):
    section = Section.parse(wildcards.section)
    return {
        "Model": wildcards.model,
        "Machine": section.machine,
        "ID": section.id,
        "SNR": section.snr,
    }


rule draw_clips:
    input:
        features=base_features,
        model=base_file("model"),
        training=base_file("training.json"),
        scores=base_file("scores.parquet"),
        metrics=base_file("metrics.json"),
    output:
        [
            in_report(
                f"{FIGURES}/clips/{{model}}/{{section}}.{ending}", CLIPS, clip_labels
            )
            for ending in FORMATS
        ],
    log:
        f"{RESULTS}/logs/draw_clips/{{model}}/{{section}}.log",
    benchmark:
        f"{RESULTS}/logs/draw_clips/{{model}}/{{section}}.benchmark.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=report_memory,
    params:
        job=clips_job,
    shell:
        "python scripts/draw_clips.py --features {input.features:q} --model-file {input.model:q}"
        " --training {input.training:q} --scores {input.scores:q} --metrics {input.metrics:q}"
        " --job {params.job:q} --output {output:q} 2> {log:q}"


# One HTML file to look at, compare and listen: what it shows of single clips is gathered for each of those runs.


@ask
def heard_clips(wildcards):
    return [f"{PAGE}/clips/{clips}.json" for clips in plan.clip_figures()]


@ask
def heard_clips_job(wildcards):
    return job_parameters.heard_clips_job(plan, wildcards.model)


@ask
def page_job(wildcards):
    return job_parameters.page_job(plan)


@ask
def shared_config(wildcards, resources):
    return to_json(plan.shared_config())


rule gather_clips:
    input:
        features=base_features,
        model=base_file("model"),
        training=base_file("training.json"),
        scores=base_file("scores.parquet"),
        metrics=base_file("metrics.json"),
    output:
        f"{PAGE}/clips/{{model}}/{{section}}.json",
    log:
        f"{RESULTS}/logs/gather_clips/{{model}}/{{section}}.log",
    benchmark:
        f"{RESULTS}/logs/gather_clips/{{model}}/{{section}}.benchmark.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=report_memory,
    params:
        job=heard_clips_job,
        dataset=dataset_place,
    shell:
        "python scripts/gather_clips.py --features {input.features:q} --model-file {input.model:q}"
        " --training {input.training:q} --scores {input.scores:q} --metrics {input.metrics:q}"
        " --dataset {params.dataset:q} --job {params.job:q} --output {output:q} 2> {log:q}"


rule make_page:
    input:
        results=RESULTS_CSV,
        scores=compared_scores,
        clips=heard_clips,
    output:
        page=f"{RESULTS}/page.html",
        config=f"{PAGE}/config.json",
    log:
        f"{RESULTS}/logs/make_page.log",
    benchmark:
        f"{RESULTS}/logs/make_page.benchmark.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=report_memory,
    params:
        job=page_job,
        config=shared_config,
        runs=runs_place,
    shell:
        "python scripts/make_page.py --results {input.results:q} --runs {params.runs:q} --clips {input.clips:q}"
        " --job {params.job:q} --config {params.config:q} --output {output.page:q}"
        " --config-file {output.config:q} 2> {log:q}"


@ask
def study_scores(wildcards):
    return scores_of(plan.runs(study=wildcards.study))


@ask
def study_job(wildcards):
    return job_parameters.study_job(plan, wildcards.study)


rule make_study_table:
    input:
        results=f"{RESULTS}/studies/{{study}}.csv",
        scores=study_scores,
    output:
        report(
            f"{RESULTS}/studies/{{study}}.html",
            category="Studies",
            caption="../report/study.rst",
            labels={"Study": "{study}"},
        ),
        f"{RESULTS}/studies/{{study}}.md",
        f"{RESULTS}/studies/{{study}}.tex",
    log:
        f"{RESULTS}/logs/make_study_table/{{study}}.log",
    benchmark:
        f"{RESULTS}/logs/make_study_table/{{study}}.benchmark.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=report_memory,
    params:
        job=study_job,
        folder=studies_place,
        runs=runs_place,
    shell:
        "python scripts/make_study_table.py --results {input.results:q} --runs {params.runs:q} --job {params.job:q}"
        " --output {params.folder:q} 2> {log:q}"


# The reference run is one of MIMII, so the check is asked for where the study is configured and the names are MIMII's.


rule check_official_baseline:
    input:
        f"{RESULTS}/studies/official_baseline.csv",
    output:
        in_report(f"{TABLES}/official_baseline.html", BASELINE),
        expand(f"{TABLES}/official_baseline.{{ending}}", ending=["md", "csv", "tex"]),
    log:
        f"{RESULTS}/logs/check_official_baseline.log",
    benchmark:
        f"{RESULTS}/logs/check_official_baseline.benchmark.tsv"
    conda:
        "../../environment.yml"
    resources:
        mem_mb=report_memory,
    params:
        job=baseline_job,
        folder=tables_place,
    shell:
        "python scripts/check_official_baseline.py --results {input:q} --output {params.folder:q} 2> {log:q}"


@ask
def everything_configured(wildcards):
    """Files that rule `all` makes."""
    wanted = [RESULTS_CSV]
    if plan.config["report"]["tables"]:
        wanted += rules.make_tables.output
    if plan.config["report"]["figures"]:
        wanted += rules.make_figures.output
        wanted += [
            f"{FIGURES}/clips/{clips}.{ending}"
            for clips in plan.clip_figures()
            for ending in plan.config["report"]["figures"]
        ]
    wanted += expand(f"{RESULTS}/studies/{{study}}.csv", study=plan.config["studies"])
    if plan.config["report"]["tables"]:
        wanted += expand(rules.make_study_table.output, study=plan.config["studies"])
    if plan.config["report"]["page"]:
        wanted += rules.make_page.output
    if is_asked_for(plan.config["studies"], plan.sections):
        wanted += rules.check_official_baseline.output
    return wanted
