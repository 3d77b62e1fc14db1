# From results.csv to a paper. Tables and figures compare the configured models; studies have their own CSVs.

TABLES = f"{RESULTS}/tables"
FIGURES = f"{RESULTS}/figures"
STATISTICS = f"{RESULTS}/statistics"
# Snakemake wants an output of every rule, asked for or not.
FORMATS = plan.config["report"]["figures"] or ["png"]


rule make_statistics:
    input:
        results=RESULTS_CSV,
        scores=compared_scores,
    output:
        averages=f"{STATISTICS}/averages.csv",
        comparisons=f"{STATISTICS}/comparisons.csv",
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
        runs=runs_place,
    shell:
        "python scripts/make_statistics.py --results {input.results:q} --runs {params.runs:q} --job {params.job:q}"
        " --averages {output.averages:q} --comparisons {output.comparisons:q} --ranks {output.ranks:q} 2> {log:q}"


rule make_tables:
    input:
        results=RESULTS_CSV,
        averages=f"{STATISTICS}/averages.csv",
        comparisons=f"{STATISTICS}/comparisons.csv",
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
        folder=tables_place,
    shell:
        "python scripts/make_tables.py --results {input.results:q} --averages {input.averages:q}"
        " --comparisons {input.comparisons:q} --ranks {input.ranks:q} --job {params.job:q}"
        " --output {params.folder:q} 2> {log:q}"


rule make_figures:
    input:
        results=RESULTS_CSV,
        averages=f"{STATISTICS}/averages.csv",
        comparisons=f"{STATISTICS}/comparisons.csv",
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
        folder=figures_place,
        formats=" ".join(FORMATS),
        runs=runs_place,
    shell:
        "python scripts/make_figures.py --results {input.results:q} --runs {params.runs:q}"
        " --averages {input.averages:q} --comparisons {input.comparisons:q} --ranks {input.ranks:q}"
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
            in_report(f"{FIGURES}/clips/{{model}}/{{section}}.{ending}", CLIPS)
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
