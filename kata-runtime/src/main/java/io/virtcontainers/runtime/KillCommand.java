// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import io.virtcontainers.Container;
import io.virtcontainers.IllegalTransitionException;
import io.virtcontainers.NotFoundException;
import io.virtcontainers.Signal;
import io.virtcontainers.VirtException;
import io.virtcontainers.oci.OciState;
import io.virtcontainers.runtime.Registry.Entry;
import java.io.IOException;
import java.util.List;
import java.util.Optional;

/** {@code kill ID [SIGNAL]}: sends a signal to a container's process, or to all of its processes. */
final class KillCommand {
    private KillCommand() {}

    static int run(GlobalOptions options, List<String> words) throws IOException {
        Arguments arguments = Arguments.parse("kill", words, List.of(Option.flag("all", "a")));
        String id = arguments.id();
        List<String> rest = arguments.rest();
        if (rest.size() > 2) {
            throw new UsageException("kill: too many arguments: " + rest.subList(2, rest.size()));
        }
        Signal signal = rest.size() > 1 ? Signal.of(rest.get(1)) : Signal.TERM;
        boolean all = arguments.is("all");
        Optional<Entry> entry = new Registry(options.root()).find(id);
        if (entry.isEmpty()) {
            return 0; // it is gone, as was wanted: engines kill what may have ended
        }
        String number = Integer.toString(signal.number());
        if (SupervisorClient.answer(options.root(), entry.get(), "kill", number, Boolean.toString(all))
                .isEmpty()) {
            try (Containers containers = Containers.open(options)) {
                kill(containers, entry.get(), signal, all);
            }
        }
        return 0;
    }

    private static VirtException notRunning(String id) {
        return new VirtException("container not running: " + id);
    }

    static void kill(Containers containers, Entry entry, Signal signal, boolean all) throws IOException {
        OciState.Status status = containers.status(entry);
        if (status == OciState.Status.STOPPED && all) {
            return;
        }
        if (status == OciState.Status.STOPPED || status == OciState.Status.CREATING) {
            throw notRunning(entry.id());
        }
        try {
            Container container = containers.container(entry.id());
            if (all) {
                container.kill(signal);
            } else {
                container.process().signal(signal);
            }
        } catch (IllegalTransitionException | NotFoundException e) {
            if (containers.status(entry) == OciState.Status.STOPPED) {
                throw notRunning(entry.id()); // it ended meanwhile
            }
            throw e;
        } catch (VirtException e) {
            if (!signal.equals(Signal.KILL) || !entry.isSandbox()) {
                throw e;
            }
            // A guest that does not answer cannot be told to end; its machine can be ended.
            containers.library().sandbox(entry.sandbox()).stop();
        }
    }
}
