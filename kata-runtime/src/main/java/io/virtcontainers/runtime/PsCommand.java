// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import io.virtcontainers.Container;
import java.io.IOException;
import java.util.List;

/** {@code ps ID [ps options]}: the processes of a container, as they are numbered in the guest. */
final class PsCommand {
    private static final List<Option> OPTIONS = List.of(Option.value("format", "f"));

    private PsCommand() {}

    static int run(GlobalOptions options, List<String> words) throws IOException {
        Arguments arguments = Arguments.parse("ps", words, OPTIONS);
        String id = arguments.id();
        String format = arguments.value("format").orElse("table");
        if (!format.equals("table") && !format.equals("json")) {
            throw new UsageException("ps: invalid format option: " + format);
        }
        try (Containers containers = Containers.open(options)) {
            Container container = containers.container(id);
            if (format.equals("json")) {
                System.out.println(container.pids().toString().replace(" ", ""));
            } else {
                System.out.print(container.processTable(
                        arguments.rest().subList(1, arguments.rest().size()).toArray(String[]::new)));
            }
            return 0;
        }
    }
}
