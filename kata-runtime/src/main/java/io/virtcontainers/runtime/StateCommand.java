// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import io.virtcontainers.oci.OciState;
import io.virtcontainers.runtime.Registry.Entry;
import java.io.IOException;
import java.util.List;
import java.util.Optional;

/** {@code state ID}: where a container is in its life, as the runtime-spec's document. */
final class StateCommand {
    private StateCommand() {}

    static int run(GlobalOptions options, List<String> words) throws IOException {
        String id = Arguments.parse("state", words, List.of()).onlyId();
        Entry entry = new Registry(options.root()).get(id);
        // The library says the same of a container whose supervisor is dead.
        System.out.print(
                entry.supervisor().isAlive()
                        ? ofAlive(options, entry)
                        : Containers.state(entry, OciState.Status.STOPPED).toJson());
        return 0;
    }

    private static String ofAlive(GlobalOptions options, Entry entry) {
        Optional<List<String>> told = SupervisorClient.answer(options.root(), entry, "state");
        if (told.isPresent()) {
            return told.get().get(0);
        }
        try (Containers containers = Containers.open(options)) {
            return containers.state(entry).toJson();
        }
    }
}
