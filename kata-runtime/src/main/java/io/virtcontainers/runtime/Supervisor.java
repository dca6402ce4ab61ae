// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import io.virtcontainers.Container;
import io.virtcontainers.GuestProcess;
import io.virtcontainers.VirtException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * The process of the host that stands for a process in a guest: engines have its pid, give it the standard streams, and
 * get from it the exit code. It makes what it stands for, so that the connection to the guest is made once, and reports to
 * the command that started it. A container is stopped when its supervisor is dead ({@link Container#shim}).
 *
 * <p>If the command goes away before the report, what has been made is undone.
 */
final class Supervisor {
    private Supervisor() {}

    /** @param words the socket to report to, the kind, and the words of that command */
    static int run(GlobalOptions options, List<String> words) throws IOException {
        try (Report report = Report.to(Path.of(words.get(0)));
                Containers containers = Containers.open(options)) {
            Thread self = Thread.currentThread();
            report.onLoss(self::interrupt);
            Attached attached;
            try {
                attached = attach(containers, words.get(1), words.subList(2, words.size()));
            } catch (VirtException | UsageException | IOException e) {
                report.failed(Main.text(e));
                return Main.FAILED;
            }
            report.ready();
            return attached.relay().await();
        }
    }

    private record Attached(Relay relay, Optional<Console> console) {}

    private static Attached attach(Containers containers, String kind, List<String> words) throws IOException {
        if (kind.equals("create")) {
            CreateOptions create = CreateOptions.parse("create", words);
            Container container = new Creation(containers, create.id(), create.bundle()).make();
            return relay(
                    container.process(), container.config().process().terminal().isPresent());
        }
        ExecOptions exec = ExecOptions.parse(words);
        Container container = ExecCommand.usable(containers, exec.id());
        var process = exec.process(container.config().process());
        return relay(container.exec(process), process.terminal().isPresent());
    }

    private static Attached relay(GuestProcess process, boolean terminal) throws IOException {
        Optional<Console> console = terminal ? Optional.of(Console.raw()) : Optional.empty();
        Relay relay = new Relay(process, terminal);
        relay.start();
        return new Attached(relay, console);
    }
}
