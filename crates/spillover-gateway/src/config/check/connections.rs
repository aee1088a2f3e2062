use super::Check;
use crate::config::file::{ConnectionsTable, Path, ShutdownTable, Size};
use spillover_serve::{Connections, Shutdown};

impl Check<'_> {
    pub(super) fn connections(&mut self, path: &Path, table: &ConnectionsTable) -> Connections {
        let at_least_one = "a whole number of at least 1";
        let max = self.within(&path.key("max"), table.max, &(1..=u32::MAX), at_least_one);
        // Less than that hyper does not read with.
        let Size(head_size) = table.head_size;
        let head_bytes = self.within(
            &path.key("head_size"),
            head_size,
            &(8 * Size::KIB..=16 * Size::MIB),
            "a size from 8KiB to 16MiB",
        );
        let head_fields = self.within(
            &path.key("head_fields"),
            table.head_fields,
            &(1..=10_000),
            "a whole number from 1 to 10000",
        );
        Connections {
            max: usize::try_from(max).unwrap_or(usize::MAX),
            head_timeout: self.timeout(&path.key("head_timeout"), table.head_timeout),
            idle_timeout: self.timeout(&path.key("idle_timeout"), table.idle_timeout),
            body_timeout: self.timeout(&path.key("body_timeout"), table.body_timeout),
            write_timeout: self.timeout(&path.key("write_timeout"), table.write_timeout),
            head_bytes: usize::try_from(head_bytes).unwrap_or(usize::MAX),
            head_fields: usize::try_from(head_fields).unwrap_or(usize::MAX),
        }
    }

    pub(super) fn shutdown(&mut self, path: &Path, table: &ShutdownTable) -> Shutdown {
        Shutdown {
            delay: self.pause(&path.key("delay"), table.delay),
            deadline: self.pause(&path.key("deadline"), table.deadline),
        }
    }
}
