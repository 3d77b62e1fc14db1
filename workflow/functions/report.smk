# What the rules of rules/report.smk ask about their jobs.


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
    trained = (run for run in compared_runs() if has_model(run.variant.name))
    folders = dict.fromkeys(run.training_path for run in trained)
    return [f"{plan.runs_root}/{folder}/losses.parquet" for folder in folders]


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


@ask
def base_features(wildcards):
    run = plan.base_run(wildcards.model, Section.parse(wildcards.section))
    return plan.features_file(run.variant, run.section)


def base_file(name):
    """A file of the configured model's run with the first seed, or of the training behind it."""

    @ask
    def of_run(wildcards):
        run = plan.base_run(wildcards.model, Section.parse(wildcards.section))
        trained = name in ("model", "training.json")
        file = plan.model_file(wildcards.model) if name == "model" else name
        return f"{plan.runs_root}/{run.training_path if trained else run.path}/{file}"

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


@ask
def study_scores(wildcards):
    return scores_of(plan.runs(study=wildcards.study))


@ask
def study_job(wildcards):
    return job_parameters.study_job(plan, wildcards.study)


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
