//! How treatment is assigned, and the analysis that respects it.
