"""The wine-quality pipeline: from measurements of a wine to the grade its tasters gave it."""
