"""Tables, figures and pages made of results. Knows nothing of models, features or Snakemake."""
