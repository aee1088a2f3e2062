//! The gateway.

fn main() -> std::process::ExitCode {
    spillover_gateway::main()
}
