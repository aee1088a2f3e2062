//! The gateway, built where tests can find it.

fn main() -> std::process::ExitCode {
    spillover_gateway::main()
}
