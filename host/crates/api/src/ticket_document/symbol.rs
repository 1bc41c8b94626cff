//! QR symbols.

use qrcode::{Color, EcLevel, QrCode};
use tessera_core::error::{Error, Result};

/// A QR symbol without its quiet zone.
#[derive(Debug)]
pub(super) struct Symbol {
    side: u16,
    modules: Vec<Color>,
}

/// Adjacent dark modules in one row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) x: u16,
    pub(super) y: u16,
    pub(super) length: u16,
}

impl Symbol {
    /// Encodes `code` in the smallest symbol; up to 15 % of the symbol may be unreadable.
    pub(super) fn of(code: &str) -> Result<Self> {
        let symbol = QrCode::with_error_correction_level(code, EcLevel::M).map_err(Error::internal)?;
        let side = u16::try_from(symbol.width()).map_err(Error::internal)?;
        Ok(Self { side, modules: symbol.into_colors() })
    }

    /// Returns the width and height, in modules.
    pub(super) fn side(&self) -> u16 {
        self.side
    }

    /// Returns for each row whether its modules are dark.
    pub(super) fn rows(&self) -> impl Iterator<Item = impl Iterator<Item = bool>> {
        self.modules.chunks(usize::from(self.side)).map(|row| row.iter().map(|color| *color == Color::Dark))
    }

    /// Returns the runs of dark modules. One rectangle for each run needs fewer bytes and leaves no seams between
    /// modules.
    pub(super) fn runs(&self) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        for (y, row) in (0..).zip(self.rows()) {
            for (x, _) in (0..).zip(row).filter(|(_, dark)| *dark) {
                match runs.last_mut() {
                    Some(run) if run.y == y && run.x + run.length == x => run.length += 1,
                    _ => runs.push(Run { x, y, length: 1 }),
                }
            }
        }
        runs
    }
}
