//! Measuring customers: item response models, and scores with their uncertainty.
