// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import java.io.IOException;
import java.util.List;

/** {@code state ID}: where a container is in its life, as the runtime-spec's document. */
final class StateCommand {
    private StateCommand() {}

    static int run(GlobalOptions options, List<String> words) throws IOException {
        String id = Arguments.parse("state", words, List.of()).onlyId();
        try (Containers containers = Containers.open(options)) {
            System.out.print(containers.state(containers.registry().get(id)).toJson());
            return 0;
        }
    }
}
