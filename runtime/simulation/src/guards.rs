//! Guards of the driver and of the method, which can be taken out to see whether a run notices.

use vouch_agent::DriverGuard;
use vouch_mobility::Guard;

/// Something that stands between the agents and a mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AnyGuard {
    /// Of the driver.
    Driver(DriverGuard),
    /// Of the method (`vouch_mobility`).
    Method(Guard),
}

impl AnyGuard {
    /// Those of the driver, and then those of the method.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let driver = DriverGuard::ALL.iter().copied().map(Self::Driver);
        driver.chain(Guard::ALL.iter().copied().map(Self::Method))
    }

    /// The guard of a name.
    pub(crate) fn named(name: &str) -> Result<Self, String> {
        let names = || Self::all().map(Self::name).collect::<Vec<_>>().join(", ");
        Self::all()
            .find(|guard| guard.name() == name)
            .ok_or_else(|| format!("there is none such; there are {}", names()))
    }

    pub(crate) fn name(self) -> String {
        match self {
            Self::Driver(guard) => format!("{guard:?}"),
            Self::Method(guard) => format!("{guard:?}"),
        }
    }

    /// Where it stands.
    pub(crate) fn place(self) -> &'static str {
        match self {
            Self::Driver(guard) => guard.place(),
            Self::Method(guard) => guard.place(),
        }
    }

    /// What it says.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Driver(guard) => guard.words(),
            Self::Method(guard) => guard.words(),
        }
    }
}

/// Does something without a guard.
pub(crate) fn without<T>(guard: Option<AnyGuard>, run: impl FnOnce() -> T) -> T {
    let (driver, method) = match guard {
        None => (None, None),
        Some(AnyGuard::Driver(guard)) => (Some(guard), None),
        Some(AnyGuard::Method(guard)) => (None, Some(guard)),
    };
    vouch_agent::take_out(driver);
    let result = vouch_mobility::without(method, run);
    vouch_agent::take_out(None);
    result
}
