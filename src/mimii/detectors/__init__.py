"""What a detector must answer, and what detectors share. Knows no file of a run and no single model."""
