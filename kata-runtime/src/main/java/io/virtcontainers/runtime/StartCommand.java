// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import io.virtcontainers.Container;
import io.virtcontainers.VirtException;
import io.virtcontainers.oci.Bundle;
import io.virtcontainers.oci.HookKind;
import io.virtcontainers.oci.HookRunner;
import io.virtcontainers.oci.OciState;
import io.virtcontainers.runtime.Registry.Entry;
import java.io.IOException;
import java.util.List;

/** {@code start ID...}: lets the processes of created containers run. */
final class StartCommand {
    private StartCommand() {}

    static int run(GlobalOptions options, List<String> words) throws IOException {
        Arguments arguments = Arguments.parse("start", words, List.of());
        arguments.id();
        for (String id : arguments.rest()) {
            Entry entry = new Registry(options.root()).get(id);
            if (SupervisorClient.answer(options.root(), entry, "start").isEmpty()) {
                try (Containers containers = Containers.open(options)) {
                    start(containers, entry);
                }
            }
        }
        return 0;
    }

    /** Starts it and runs its hooks; if one of these fails the container is ended. */
    static void start(Containers containers, Entry entry) throws IOException {
        OciState.Status status = containers.status(entry);
        if (status != OciState.Status.CREATED) {
            throw new VirtException(
                    "cannot start container " + entry.id() + " in the " + status + " state: only a created one");
        }
        Container container = containers.container(entry.id());
        container.start();
        Bundle bundle = Bundle.load(entry.bundle());
        try {
            new HookRunner(bundle.spec().hooks()).run(HookKind.POSTSTART, containers.state(entry));
        } catch (VirtException e) {
            container.stop();
            throw e;
        }
    }
}
