// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import io.virtcontainers.VirtContainers;
import io.virtcontainers.runtime.config.Configuration;
import io.virtcontainers.runtime.config.ConfigurationFile;
import java.io.IOException;
import java.util.List;

/** {@code kata-env}: what the runtime works with, as TOML or JSON, in the form 1.0.24 of Kata Containers. */
final class EnvCommand {
    private EnvCommand() {}

    static int run(GlobalOptions options, List<String> words) throws IOException {
        Arguments arguments = Arguments.parse("kata-env", words, List.of(Option.flag("json")));
        if (!arguments.rest().isEmpty()) {
            throw new UsageException("kata-env: too many arguments: " + arguments.rest());
        }
        Configuration configuration = ConfigurationFile.load(options.kataConfig());
        try (VirtContainers library = VirtContainers.open()) {
            EnvReport report = EnvReport.of(configuration, library.check(configuration.hypervisor()));
            System.out.println(arguments.is("json") ? report.json() : report.toml());
            return 0;
        }
    }
}
