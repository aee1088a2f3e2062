use std::{fs, io, process::Stdio};

use bytes::Bytes;
use tokio::{process::Command, time::Duration};

use super::Target;
use crate::peer::LISTEN;

/// The counters of wrk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Count {
    pub(super) requests: f64,
    pub(super) seconds: f64,
    /// Requests with an error or without an answer.
    pub(super) lost: f64,
}

/// Runs wrk.
pub(super) async fn wrk(
    target: &Target<'_>,
    connections: usize,
    body: &Bytes,
    time: Duration,
) -> io::Result<Count> {
    let script = target.temp.join("wrk.lua");
    let file = target.temp.join("request.json");
    fs::write(&script, include_str!("../../wrk.lua"))?;
    fs::write(&file, body)?;
    let scheme = if target.setup.is_tls { "https" } else { "http" };
    let output = Command::new("wrk")
        .args(["--threads", "1", "--timeout", "30s"])
        .arg("--connections")
        .arg(connections.to_string())
        .arg("--duration")
        .arg(format!("{}s", time.as_secs()))
        .arg("--script")
        .arg(script)
        .arg(format!("{scheme}://{LISTEN}{}", target.path))
        .arg("--")
        .arg(file)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await?;
    let text = String::from_utf8_lossy(&output.stdout);
    parse(&text).ok_or_else(|| {
        let error = String::from_utf8_lossy(&output.stderr);
        io::Error::other(format!("wrk: {text}{error}"))
    })
}

fn parse(output: &str) -> Option<Count> {
    let line = output
        .lines()
        .find_map(|line| line.strip_prefix("bench "))?;
    let mut numbers = line.split(' ').map(|number| number.parse::<f64>().ok());
    let mut next = || numbers.next()?;
    Some(Count {
        requests: next()?,
        seconds: next()? / 1e6,
        lost: next()? + next()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_from_the_output_of_the_script() {
        let output = "Running 2s test\n  Latency 2ms\nRequests/sec: 4\nbench 9000 2000000 3 4\n";
        let count = Count {
            requests: 9000.0,
            seconds: 2.0,
            lost: 7.0,
        };
        assert_eq!(parse(output), Some(count));
        assert_eq!(parse("unable to connect\n"), None);
        assert_eq!(parse("bench 1 2 3\n"), None);
    }
}
