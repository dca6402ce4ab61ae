// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import io.virtcontainers.runtime.config.ConfigurationFile;
import io.virtcontainers.runtime.config.ConfigurationText;
import java.nio.file.Path;
import java.util.List;

/** {@code kata-config}: a configuration file to begin with, or where one is looked for. */
final class ConfigCommand {
    private ConfigCommand() {}

    static int run(List<String> words) {
        if (!words.isEmpty()) {
            throw new UsageException("kata-config: too many arguments: " + words);
        }
        System.out.print(ConfigurationText.defaultFile());
        return 0;
    }

    static int paths() {
        for (Path path : ConfigurationFile.defaultPaths()) {
            System.out.println(path);
        }
        return 0;
    }
}
