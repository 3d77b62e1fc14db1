# One CSV of every configured run; one of each model's; one of each study's.


rule merge_results:
    input:
        all_metrics,
    output:
        f"{RESULTS}/results.csv",
    params:
        job=all_merged,
    log:
        f"{RESULTS}/logs/merge_results.log",
    benchmark:
        f"{RESULTS}/logs/merge_results.benchmark.tsv"
    shell:
        "{PYTHON:q} {SCRIPTS}/merge_results.py --runs {plan.runs_root:q} --job {params.job:q} --output {output:q}"
        " 2> {log:q}"


use rule merge_results as merge_model with:
    input:
        model_metrics,
    output:
        f"{RESULTS}/models/{{model}}.csv",
    params:
        job=model_merged,
    log:
        f"{RESULTS}/logs/merge_model/{{model}}.log",
    benchmark:
        f"{RESULTS}/logs/merge_model/{{model}}.benchmark.tsv"


use rule merge_results as merge_study with:
    input:
        study_metrics,
    output:
        f"{RESULTS}/studies/{{study}}.csv",
    params:
        job=study_merged,
    log:
        f"{RESULTS}/logs/merge_study/{{study}}.log",
    benchmark:
        f"{RESULTS}/logs/merge_study/{{study}}.benchmark.tsv"
