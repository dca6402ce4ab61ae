// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import io.virtcontainers.SandboxConfig;
import io.virtcontainers.Template;
import io.virtcontainers.TemplateFactory;
import io.virtcontainers.runtime.config.Configuration;
import io.virtcontainers.runtime.config.ConfigurationFile;
import io.virtcontainers.runtime.config.Options;
import java.io.IOException;
import java.util.List;

/** {@code factory}: the template of which machines are clones, with {@code enable_template} in the configuration. */
final class FactoryCommand {
    private static final String OFF = "vm factory or VMCache is not enabled";

    private FactoryCommand() {}

    static int run(GlobalOptions options, List<String> words) throws IOException {
        String action = words.isEmpty() ? "" : words.get(0);
        if (words.size() != 1 || !List.of("init", "destroy", "status").contains(action)) {
            throw new UsageException("factory: needs one of init, destroy, status");
        }
        Configuration configuration = ConfigurationFile.load(options.kataConfig());
        boolean enabled = configuration.get(Options.ENABLE_TEMPLATE);
        try (Containers containers = Containers.open(options)) {
            TemplateFactory templates = containers.library().templates();
            switch (action) {
                case "init" -> {
                    if (!enabled) {
                        throw new UsageException(OFF);
                    }
                    SandboxConfig machine = configuration
                            .applyTo(SandboxConfig.builder("factory"))
                            .detached(true)
                            .build();
                    Template unused = templates.init(machine);
                    System.out.println("vm factory initialized");
                }
                case "destroy" -> {
                    templates.list().forEach(template -> templates.destroy(template.id()));
                    System.out.println("vm factory destroyed");
                }
                default -> {
                    System.out.println("vm factory is " + (enabled ? "on" : "off"));
                    for (Template template : templates.list()) {
                        System.out.println("template " + template.id() + ": " + template.hypervisor() + ", "
                                + template.size() + ", last used " + template.lastUse()
                                + template.problem()
                                        .map(problem -> ", cannot be used: " + problem)
                                        .orElse(""));
                    }
                }
            }
            return 0;
        }
    }
}
