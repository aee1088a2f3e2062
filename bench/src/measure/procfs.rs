//! Reads the figures of the kernel for a process: proc(5).

use std::{fs, io, time::Duration};

use rustix::io::Errno;

/// Returns user and system time since the process began, including ended children.
pub(super) fn cpu(pid: i32) -> io::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let ticks = ticks(&stat).ok_or_else(|| unreadable("stat"))?;
    Ok(Duration::from_secs(ticks) / TICKS_PER_SECOND)
}

/// Returns resident memory in KiB: current (`VmRSS`) or highest (`VmHWM`).
pub(super) fn memory(pid: i32, field: &str) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    match kibibytes(&status, field) {
        // A process that is ending has a name, but no memory any more.
        None if !status.contains("\nVm") => Ok(0),
        memory => memory.ok_or_else(|| unreadable("status")),
    }
}

/// Resets `VmHWM`.
pub(super) fn forget_peak(pid: i32) -> io::Result<()> {
    fs::write(format!("/proc/{pid}/clear_refs"), "5")
}

pub(super) fn children(pid: i32) -> io::Result<Vec<i32>> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    let children = children.split_whitespace().map(str::parse);
    children.collect::<Result<_, _>>().map_err(io::Error::other)
}

/// Returns true if the error means that the process does not exist any more.
pub(super) fn has_ended(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::NOENT | Errno::SRCH))
}

fn ticks(stat: &str) -> Option<u64> {
    // The name may have spaces and parentheses. `state` follows it, and `utime`, `stime`, `cutime` and `cstime` are the
    // 12th to the 15th field from there.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11);
    let mut next = || fields.next()?.parse::<u64>().ok();
    Some(next()? + next()? + next()? + next()?)
}

fn kibibytes(status: &str, field: &str) -> Option<u64> {
    let value = status
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    value.trim().strip_suffix(" kB")?.parse().ok()
}

fn unreadable(file: &str) -> io::Error {
    let message = format!("/proc/PID/{file} is not as expected");
    io::Error::new(io::ErrorKind::InvalidData, message)
}

/// `USER_HZ`, which is 100 on every supported architecture.
const TICKS_PER_SECOND: u32 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_after_a_name_with_parentheses() {
        let stat = "17 (a) b (c) S 1 17 17 0 -1 4194304 1 0 0 0 250 50 7 3 20 0 3 0 100 1 1";
        assert_eq!(ticks(stat), Some(310));
        assert_eq!(ticks("17 (a) S 1"), None);
    }

    #[test]
    fn ended_process_is_distinguished_from_an_unreadable_file() {
        assert!(has_ended(&cpu(i32::MAX).unwrap_err()));
        assert!(!has_ended(&unreadable("stat")));
    }

    #[test]
    fn memory_is_read_by_the_name_of_its_field() {
        let status = "Name:\tx\nVmHWM:\t   5120 kB\nVmRSS:\t    404 kB\n";
        assert_eq!(kibibytes(status, "VmRSS"), Some(404));
        assert_eq!(kibibytes(status, "VmHWM"), Some(5120));
        assert_eq!(kibibytes(status, "Vm"), None);
    }
}
