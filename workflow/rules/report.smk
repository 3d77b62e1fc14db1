# From results.csv to a paper. Tables and figures compare the configured models; studies have their own CSVs.


include: "../functions/report.smk"


TABLES = f"{RESULTS}/tables"
FIGURES = f"{RESULTS}/figures"
STATISTICS = f"{RESULTS}/statistics"
PAGE = f"{RESULTS}/page"
# Snakemake wants an output of every rule, asked for or not.
FORMATS = plan.config["report"]["figures"] or ["png"]
# What make_statistics writes and tables, figures and page read.
STATISTICS_FILES = {
    "averages": f"{STATISTICS}/averages.csv",
    "comparisons": f"{STATISTICS}/comparisons.csv",
    "section_comparisons": f"{STATISTICS}/section_comparisons.csv",
    "variances": f"{STATISTICS}/variances.csv",
    "ranks": f"{STATISTICS}/ranks.json",
}


rule make_statistics:
    input:
        results=RESULTS_CSV,
        scores=compared_scores,
    output:
        **STATISTICS_FILES,
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
        **STATISTICS_FILES,
        results=RESULTS_CSV,
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
        **STATISTICS_FILES,
        results=RESULTS_CSV,
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
        **STATISTICS_FILES,
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
        statistics=statistics_place,
        config=shared_config,
        runs=runs_place,
    shell:
        "python scripts/make_page.py --results {input.results:q} --runs {params.runs:q}"
        " --statistics {params.statistics:q} --clips {input.clips:q}"
        " --job {params.job:q} --config {params.config:q} --output {output.page:q}"
        " --config-file {output.config:q} 2> {log:q}"


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
