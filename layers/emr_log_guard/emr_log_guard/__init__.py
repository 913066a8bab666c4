"""EMR Log Guard: every log that Amazon EMR writes is encrypted with an approved customer key."""
