//! Attempts to commit: a decision that was made from outdated rows is made again, a bounded number of times.

use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// How often a command is attempted before its caller gets a conflict.
const MAX_ATTEMPTS: u32 = 5;

/// Counts the attempts of one command.
pub(crate) struct Attempts {
    begun: u32,
    deadline: Instant,
}

impl Attempts {
    /// Creates a counter for a command with a deadline.
    pub(crate) fn new(deadline: Instant) -> Self {
        Self { begun: 0, deadline }
    }

    /// Begins the next attempt, after a short pause if it is not the first. Fails when all attempts are used, or when
    /// the deadline has passed.
    pub(crate) async fn next(&mut self) -> Result<()> {
        if self.begun == MAX_ATTEMPTS {
            return Err(Error::stale());
        }
        if self.begun > 0 {
            tokio::time::sleep(pause(self.begun - 1)).await;
        }
        if Instant::now() >= self.deadline {
            return Err(Error::deadline());
        }
        self.begun += 1;
        Ok(())
    }
}

/// Returns a random pause, so that commands that lost to each other do not meet again.
fn pause(attempt: u32) -> Duration {
    let mut byte = [0_u8; 1];
    let jitter = if getrandom::fill(&mut byte).is_ok() { u64::from(byte[0]) } else { 128 };
    Duration::from_micros(jitter * 20 * (1 << attempt))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn attempts_are_bounded() {
        let mut attempts = Attempts::new(Instant::now() + Duration::from_secs(60));
        for _ in 0..MAX_ATTEMPTS {
            attempts.next().await.unwrap();
        }
        assert!(attempts.next().await.unwrap_err().is_stale());
    }

    #[tokio::test]
    async fn no_attempt_begins_after_the_deadline() {
        let mut attempts = Attempts::new(Instant::now());
        assert_eq!(attempts.next().await.unwrap_err().reason(), "DEADLINE_EXCEEDED");
    }
}
