// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import io.virtcontainers.HostCheck;
import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.Sandbox;
import io.virtcontainers.SandboxConfig;
import io.virtcontainers.VirtContainers;
import io.virtcontainers.VirtException;
import io.virtcontainers.runtime.config.Configuration;
import io.virtcontainers.runtime.config.ConfigurationFile;
import java.io.PrintStream;
import java.util.List;

/**
 * {@code kata-check}: whether this host can run containers, with these settings. What is missing is named with its remedy.
 * As root it also boots a machine. Nothing is looked for in the network.
 */
final class CheckCommand {
    private static final List<Option> OPTIONS = List.of(
            Option.flag("strict", "s"),
            Option.flag("verbose", "v"),
            Option.flag("no-network-checks", "n"),
            Option.flag("check-version-only"),
            Option.flag("include-all-releases"),
            Option.flag("only-list-releases"));

    private CheckCommand() {}

    static int run(GlobalOptions options, List<String> words) {
        Arguments arguments = Arguments.parse("kata-check", words, OPTIONS);
        for (String flag : List.of("check-version-only", "include-all-releases", "only-list-releases")) {
            if (arguments.is(flag)) {
                throw new UsageException(
                        "kata-check: --" + flag + " is not supported: nothing is looked for in the" + " network");
            }
        }
        Configuration configuration = ConfigurationFile.load(options.kataConfig());
        try (VirtContainers library = VirtContainers.open()) {
            return run(
                    library,
                    configuration,
                    GlobalOptions.isRoot(),
                    new Printer(System.out, System.err, arguments.is("verbose"), arguments.is("strict")));
        }
    }

    /** @param boot whether to boot a machine too */
    static int run(VirtContainers library, Configuration configuration, boolean boot, Printer printer) {
        HypervisorConfig settings = configuration.hypervisor();
        List<HostCheck> checks = library.check(settings);
        boolean capable =
                checks.stream().map(printer::tell).filter(good -> !good).count() == 0;
        if (!capable) {
            printer.err.println("ERROR: System is not capable of running Kata Containers");
            return Main.FAILED;
        }
        printer.out.println("System is capable of running Kata Containers");
        if (boot) {
            try {
                boot(library, configuration);
            } catch (VirtException e) {
                printer.err.println("ERROR: a machine did not start: " + Main.text(e));
                return Main.FAILED;
            }
            printer.out.println("System can currently create Kata Containers");
        }
        return 0;
    }

    private static void boot(VirtContainers library, Configuration configuration) {
        SandboxConfig machine = configuration
                .applyTo(SandboxConfig.builder(
                        "kata-check-" + ProcessHandle.current().pid()))
                .template(false)
                .build();
        try (Sandbox sandbox = library.run(machine)) {
            var unused = sandbox.status();
        }
    }

    /**
     * @param verbose whether what is well is told too
     * @param strict whether a warning is a failure
     */
    record Printer(PrintStream out, PrintStream err, boolean verbose, boolean strict) {
        /** @return whether it may be so */
        boolean tell(HostCheck check) {
            boolean bad = check.isFailed() || (strict && check.outcome() == HostCheck.Outcome.WARNING);
            if (bad) {
                err.println("ERROR: " + check.name() + ": " + check.finding());
            } else if (verbose) {
                out.println(check);
            }
            return !bad;
        }
    }
}
