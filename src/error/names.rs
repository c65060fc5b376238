//! The name that was probably meant.

/// The closest of the available names by edit distance, if it is close enough to be a likely slip; for a program's own
/// messages.
///
/// ```
/// use cocreate::error::nearest_name;
/// let names = ["nsw".to_owned(), "card".to_owned()];
/// assert_eq!(nearest_name("cadr", &names).as_deref(), Some("card"));
/// assert_eq!(nearest_name("thornton", &names), None);
/// ```
#[must_use]
pub fn nearest_name(wanted: &str, available: &[String]) -> Option<String> {
    let wanted_lower = wanted.to_lowercase();
    available
        .iter()
        .map(|name| (edit_distance(&wanted_lower, &name.to_lowercase()), name))
        .filter(|(distance, name)| {
            let length = wanted.len().max(name.len());
            let limit = if length <= 2 { 1 } else { (length / 3).max(2) };
            *distance <= limit && *distance < length
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name.clone())
}

/// Levenshtein distance over characters.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut previous: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut current = vec![i + 1];
        for (j, cb) in b.iter().enumerate() {
            let substitution = previous[j] + usize::from(ca != *cb);
            current.push(substitution.min(previous[j + 1] + 1).min(current[j] + 1));
        }
        previous = current;
    }
    previous[b.len()]
}
