"""From a configuration to sections, runs, paths and job strings. Opens no clip, imports no model."""
