"""The wine-quality pipeline: it predicts the grade of a wine from measurements."""
