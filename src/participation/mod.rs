//! Willingness to participate under uncertainty: models that estimate it, and what identifies them.
