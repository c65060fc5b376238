//! Progress of long work, and how to stop it without harm.

use crate::error::{Error, Result};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a progress callback sees.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Units of work finished.
    pub done: usize,
    /// Units of work in all, 0 when unknown.
    pub total: usize,
}

/// Watches long work and may stop it. The callback returns `true` to go on; it is called from several threads.
///
/// ```
/// use cocreate::prelude::*;
/// use std::time::Duration;
/// let watch = Progress::until(Duration::from_secs(60)); // a notebook cannot interrupt Rust: give it a limit
/// assert!(watch.report("forest", 10, 100).is_ok());
/// ```
#[derive(Clone, Default)]
pub struct Progress {
    callback: Option<Arc<dyn Fn(Step) -> bool + Send + Sync>>,
    deadline: Option<Instant>,
}

impl Progress {
    /// No reports, no limit.
    pub fn none() -> Self {
        Self::default()
    }

    /// Calls `callback` after each unit of work; `false` cancels.
    pub fn with(callback: impl Fn(Step) -> bool + Send + Sync + 'static) -> Self {
        Self {
            callback: Some(Arc::new(callback)),
            deadline: None,
        }
    }

    /// Stops the work with [`Error::Cancelled`] once `limit` has passed from now.
    pub fn until(limit: Duration) -> Self {
        Self {
            callback: None,
            deadline: Instant::now().checked_add(limit),
        }
    }

    /// Reports `done` of `total` units of `what`.
    ///
    /// # Errors
    /// [`Error::Cancelled`] when the callback says stop or the time is up.
    pub fn report(&self, what: &str, done: usize, total: usize) -> Result<()> {
        let late = self.deadline.is_some_and(|end| Instant::now() > end);
        let go_on = self
            .callback
            .as_ref()
            .is_none_or(|callback| callback(Step { done, total }));
        if late || !go_on {
            return Err(Error::Cancelled {
                what: what.to_owned(),
            });
        }
        Ok(())
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Progress")
            .field("callback", &self.callback.is_some())
            .field("deadline", &self.deadline)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callback_cancels() {
        let watch = Progress::with(|step| step.done < 3);
        assert!(watch.report("test", 2, 10).is_ok());
        assert!(matches!(
            watch.report("test", 3, 10),
            Err(Error::Cancelled { .. })
        ));
    }

    #[test]
    fn the_deadline_cancels() {
        let watch = Progress::until(Duration::ZERO);
        std::thread::sleep(Duration::from_millis(2));
        assert!(watch.report("test", 1, 0).is_err());
    }
}
