// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** A program that answers each line, a sandbox id, with the states of the sandbox and of its containers. */
final class StatusTeller {
    private StatusTeller() {}

    public static void main(String[] args) throws IOException {
        try (VirtContainers vc = VirtContainers.builder()
                        .stateDirectory(Path.of(args[0]))
                        .open();
                BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            System.out.println("ready");
            for (String id = in.readLine(); id != null; id = in.readLine()) {
                System.out.println(tell(vc, id));
            }
        }
    }

    private static String tell(VirtContainers vc, String id) {
        try {
            SandboxStatus status = vc.status(id);
            StringBuilder text = new StringBuilder(status.state().toString());
            status.containers()
                    .forEach(c -> text.append(' ')
                            .append(c.id())
                            .append('=')
                            .append(c.state())
                            .append(c.exit()
                                    .map(exit -> "(" + exit.code() + ")")
                                    .orElse("")));
            return text.toString();
        } catch (VirtException e) {
            return e.getClass().getSimpleName();
        }
    }
}
