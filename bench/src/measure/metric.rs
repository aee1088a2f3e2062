use std::collections::BTreeMap;

/// The measurements of one run of one contender.
pub(crate) type Sample = BTreeMap<Metric, f64>;

/// A column of a table.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Metric {
    RequestsPerSecond,
    CpuPerRequest,
    CpuPerChunk,
    FirstChunkP50,
    FirstChunkP99,
    LatencyP50,
    LatencyP99,
    LatencyP999,
    MemoryPerConnection,
    PeakMemory,
    CoreBusy,
    RefusedPerRequest,
    Refusals,
    ReopenedAfter,
    Lost,
}

impl Metric {
    /// Returns the name and the unit.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::RequestsPerSecond => "requests/s",
            Self::CpuPerRequest => "CPU µs/request",
            Self::CpuPerChunk => "CPU µs/chunk",
            Self::FirstChunkP50 => "first chunk p50 ms",
            Self::FirstChunkP99 => "first chunk p99 ms",
            Self::LatencyP50 => "p50 ms",
            Self::LatencyP99 => "p99 ms",
            Self::LatencyP999 => "p99.9 ms",
            Self::MemoryPerConnection => "KiB/connection",
            Self::PeakMemory => "peak RSS MiB",
            Self::CoreBusy => "core busy %",
            Self::RefusedPerRequest => "refusals/request",
            Self::Refusals => "refusals",
            Self::ReopenedAfter => "used again after ms",
            Self::Lost => "lost",
        }
    }

    /// Returns true if a ratio of the metric to that of the floor is meaningful.
    pub(crate) fn is_relative(self) -> bool {
        !matches!(
            self,
            Self::CoreBusy
                | Self::RefusedPerRequest
                | Self::Refusals
                | Self::ReopenedAfter
                | Self::Lost
        )
    }
}
