//! The commands as processes: their time, their end, and what they see.

use super::*;

#[test]
fn a_command_that_takes_too_long_is_killed_with_all_that_it_started() {
    let shop = generated("version: 1\ncommandUpdated: {generators: [{command: './slow.sh', timeout: 1s}]}\n");
    let started = shop.path("started");
    let script = format!("#!/bin/sh\nsleep 300 &\necho $! > {}\nwait\n", started.display());
    shop.commit(&[("prod/slow.sh".to_owned(), script)], "Be slow");
    let start = Instant::now();
    let found = run(&shop, &["check", "-o", "json"]).exits(1).json();
    assert!(found.to_string().contains("took longer than 1s"), "{found}");
    assert!(start.elapsed() < Duration::from_secs(30));
    is_gone(&started, start);
}

/// Waits for the end of the process whose id a file holds.
fn is_gone(pid: &std::path::Path, start: Instant) {
    let pid = std::fs::read_to_string(pid).expect("the command ran");
    let stat = std::path::PathBuf::from(format!("/proc/{}/stat", pid.trim()));
    // Killed it is at once; gone, or a zombie that nobody waited for, when the kernel comes to it.
    let gone = || std::fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "));
    while !gone() {
        assert!(start.elapsed() < Duration::from_secs(30), "what the command started is still there");
        std::thread::yield_now();
    }
}

#[test]
#[cfg(target_os = "linux")]
fn what_a_command_leaves_behind_in_a_session_of_its_own_is_killed_too() {
    let printed = "printf 'apiVersion: v1\\nkind: ConfigMap\\nmetadata: {name: x}\\n'";
    for (end, code) in [("wait", 1), ("exit 3", 1), (printed, 0)] {
        let flux_yaml = "version: 1\ncommandUpdated: {generators: [{command: './leave.sh', timeout: 2s}]}\n";
        let shop = generated(flux_yaml);
        let started = shop.path("started");
        // It starts another of its own, and both are out of the group.
        let script = format!(
            "#!/bin/sh\nsetsid sh -c 'setsid sleep 300 & echo $! > {0}.new; mv {0}.new {0}; wait' >/dev/null 2>&1 &\nwhile ! [ -f {0} ]; do sleep 0.01; done\n{end}\n",
            started.display()
        );
        shop.commit(&[("prod/leave.sh".to_owned(), script)], "Leave something behind");
        let start = Instant::now();
        run(&shop, &["check"]).exits(code);
        is_gone(&started, start);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn commands_do_not_find_the_environment_of_what_runs_them() {
    use std::process::Command;

    let peek = "version: 1\ncommandUpdated: {generators: [{command: \"tr '\\\\0' '\\\\n' </proc/$PPID/environ | grep TOKEN >&2; exit 1\"}]}\n";
    let shop = shop(&[("prod/.flux.yaml", peek)]);
    let mut command = shop.command("fluxctl");
    let able = std::fs::read_to_string("/proc/self/status").expect("the status of this process");
    let able = able.lines().find_map(|line| line.strip_prefix("CapEff:")).expect("what it may do");
    // A process with `CAP_SYS_PTRACE`, `CAP_SYS_ADMIN` or `CAP_PERFMON` can read the memory of
    // every process.
    const ALL_SEEING: u64 = 1 << 19 | 1 << 21 | 1 << 38;
    if u64::from_str_radix(able.trim(), 16).expect("a mask") & ALL_SEEING != 0 {
        let program = command.get_program().to_owned();
        let envs: Vec<_> =
            command.get_envs().map(|(k, v)| (k.to_owned(), v.map(ToOwned::to_owned))).collect();
        let args: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
        command = Command::new("setpriv");
        command.args(["--bounding-set=-sys_ptrace,-sys_admin,-perfmon", "--"]).arg(program).args(args);
        for (name, value) in envs {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
    }
    command.env("MY_TOKEN", "sesame").args(["--manifest-generation", "--git-path", "prod", "check"]);
    let ran = Ran::from(command.output().expect("fluxctl runs")).exits(1);
    assert!(ran.stdout.contains("/environ: Permission denied"), "{}", ran.stdout);
    assert!(!format!("{}{}", ran.stdout, ran.stderr).contains("sesame"));
}

#[test]
fn commands_see_nothing_of_the_environment_and_nobody_else_sees_the_copy() {
    let script = "#!/bin/sh\ncat <<END\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: seen}\ndata:\n  env: \"$(env | cut -d= -f1 | sort | tr '\\n' ' ')\"\n  mode: \"$(stat -c %a ../..)$(stat -c %a ..)\"\nEND\n";
    let shop = shop(&[
        ("deep/down/.flux.yaml", "version: 1\ncommandUpdated: {generators: [{command: ./see.sh}]}\n"),
        ("deep/down/see.sh", script),
    ]);
    let file = shop.path("cluster.yaml");
    let ran = shop
        .command("fluxctl")
        .env("SECRET_TOKEN", "hunter2")
        .args(["--manifest-generation=true", "--git-path", "deep/down", "--cluster"])
        .arg(&file)
        .arg("sync")
        .output();
    Ran::from(ran.expect("fluxctl runs")).exits(0);
    let objects: Vec<Value> = std::fs::read_to_string(&file)
        .expect("the cluster is kept")
        .split("---\n")
        .filter(|text| text.contains("name: seen"))
        .map(|text| serde_yaml::from_str(text).expect("an object"))
        .collect();
    let seen = &objects[0]["data"];
    // PWD and the like are the shell's own.
    let own = ["PATH", "FLUX_RUN", "PWD", "OLDPWD", "SHLVL", "_"];
    let names: Vec<&str> = seen["env"].as_str().expect("names").split_whitespace().collect();
    assert!(names.contains(&"PATH") && names.iter().all(|name| own.contains(name)), "{names:?}");
    assert_eq!(seen["mode"], "700700");
}
