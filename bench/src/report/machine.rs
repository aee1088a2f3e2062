use std::{
    fmt::{self, Display, Formatter},
    fs,
    process::Command,
};

/// The machine and programs of a run.
pub(super) struct Machine {
    rows: Vec<(&'static str, String)>,
}

impl Machine {
    pub(super) fn this() -> Self {
        let rows = vec![
            ("date", output("date", &["-u", "+%F %H:%M UTC"])),
            (
                "commit",
                output("git", &["describe", "--always", "--dirty"]),
            ),
            ("CPU", processor()),
            ("kernel", output("uname", &["-sr"])),
            ("rustc", output("rustc", &["--version"])),
            ("nginx", output("nginx", &["-v"])),
            ("haproxy", output("haproxy", &["-v"])),
            ("wrk", output("wrk", &["-v"])),
        ];
        Self { rows }
    }
}

impl Display for Machine {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("| | |\n|---|---|\n")?;
        for (name, value) in &self.rows {
            writeln!(f, "| {name} | {value} |")?;
        }
        Ok(())
    }
}

/// Returns the load average of the last minute.
pub(super) fn load_average() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or_default().to_owned()
}

fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cores = info.matches("processor\t").count();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name\t: "));
    format!("{}, {cores} cores", model.unwrap_or("unknown"))
}

/// Returns the first line that a program prints, to either output.
fn output(program: &str, args: &[&str]) -> String {
    let Ok(output) = Command::new(program).args(args).output() else {
        return "-".to_owned();
    };
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8_lossy(&printed);
    printed.lines().next().unwrap_or("-").to_owned()
}
