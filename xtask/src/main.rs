//! The project's chores: `cargo xtask <chore>`.
//!
//! Every step is printed before it is done, and what is there already is left alone, so that running a
//! chore twice does its work once. Nothing is installed but what the output names.

mod arm;
mod checks;
mod console_bench;
mod crates;
mod cross;
mod crowd;
mod dist;
mod eval;
mod firmware;
mod flash_bench;
mod memory;
mod needs;
mod package_test;
mod peers;
mod prepare;
mod running;
mod sight_bench;
mod squeeze;
mod step;
mod watched;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask <chore>

  test     install what the tests need, build everything, run every test
  ci       fmt, clippy, deny, then test: what CI runs
  deny     licences, bans and sources of the dependencies; installs cargo-deny when it is missing
  eval     the detectors by the field's own yardsticks, on recordings of yours:
           cargo xtask eval [--data FOLDER] [--program PATH] [--json] [--judge] [nab|skab|budget|all]
  peers    Gatehouse beside other gateways: cargo xtask peers HARNESS [mqtt|modbus]
  memory   what `run` holds of the memory, idle and with 1000 devices of 4 points:
           cargo xtask memory [--program PATH] [--devices N] [--rounds N]
  flash-bench
           what a day at rest takes of the flash, the demo community and 1000 devices of 4 points:
           cargo xtask flash-bench [--program PATH] [--debug] [--judge] [--minutes N]
  console-bench
           how quick the pages are with 100,000 events in the journal, and what live viewers cost:
           cargo xtask console-bench [--program PATH] [--debug] [--events N] [--viewers N] [--seconds N]
  sight-bench
           what it costs to look at cameras' pictures beside the networks alone, and memory a camera:
           cargo xtask sight-bench [--data DIR] [--program PATH] [--debug] [--judge] [--quick] [looks|memory]
  arm      compilers and an emulator for ARM, below ~/.cache/gatehouse/arm (or GATEHOUSE_ARM)
  arm-test core, store and wires of the gateway, tested as arm64 under an emulator
  dist     Debian packages, with checksums and a list of what is linked in, below target/dist:
           cargo xtask dist [amd64|arm64]... [--debug]
  package-test
           the package installed, upgraded, taken back and removed on a Debian of its own with systemd (as root):
           cargo xtask package-test [--program PATH]
  firmware the nodes' images: built, measured, judged
  prepare  only install what the tests need
";

fn main() -> ExitCode {
    let chores: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match chores.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["test"] => checks::test(),
        ["ci"] => checks::ci(),
        ["deny"] => checks::deny(),
        ["eval", words @ ..] => eval::run(words),
        ["peers", harness, cases @ ..] => peers::run(harness, cases),
        ["memory", words @ ..] => memory::run(words),
        ["flash-bench", words @ ..] => flash_bench::run(words),
        ["console-bench", words @ ..] => console_bench::run(words),
        ["sight-bench", words @ ..] => sight_bench::run(words),
        ["arm"] => arm::make(),
        ["arm-test"] => cross::test(false),
        ["dist", words @ ..] => dist::run(words),
        ["package-test", words @ ..] => package_test::run(words),
        ["firmware"] => firmware::run(),
        ["prepare"] => prepare::everything().map(drop),
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            for cause in error.chain().skip(1) {
                eprintln!("  caused by: {cause}");
            }
            ExitCode::FAILURE
        }
    }
}
