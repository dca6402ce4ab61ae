// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import io.virtcontainers.Container;
import io.virtcontainers.VirtException;
import io.virtcontainers.runtime.Registry.Entry;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/**
 * The process of the host that stands for a process in a guest: engines have its pid, give it the standard streams, and
 * get from it the exit code. It makes what it stands for, so that the connection to the guest is made once, and reports to
 * the command that started it. A container is stopped when its supervisor is dead ({@link Container#shim}).
 *
 * <p>If the command goes away before the report, what has been made is undone.
 */
final class Supervisor {
    private final GlobalOptions options;
    private final Report report;

    private Supervisor(GlobalOptions options, Report report) {
        this.options = options;
        this.report = report;
    }

    /** @param words the socket to report to, the kind, and the words of that command */
    static int run(GlobalOptions options, List<String> words) throws IOException {
        try (Report report = Report.to(Path.of(words.get(0)))) {
            Thread self = Thread.currentThread();
            report.onLoss(self::interrupt);
            Supervisor supervisor = new Supervisor(options, report);
            List<String> rest = words.subList(2, words.size());
            try {
                return words.get(1).equals("create") ? supervisor.create(rest) : supervisor.exec(rest);
            } catch (VirtException | UsageException | IOException e) {
                report.failed(Main.text(e));
                return Main.FAILED;
            }
        }
    }

    private int create(List<String> words) throws IOException {
        CreateOptions create = CreateOptions.parse("create", words);
        try (Containers containers = Containers.open(options)) {
            Creation creation = new Creation(containers, create.id(), create.bundle(), options);
            Container container = creation.make();
            try (SupervisorServer server = SupervisorServer.start(options.root(), containers, creation.entry())) {
                Relay relay;
                try {
                    relay = relay(
                            Relay.Subject.of(container.process()),
                            container.config().process().terminal().isPresent());
                    report.ready();
                } catch (VirtException | IOException e) {
                    DeleteCommand.delete(containers, creation.entry(), /* force= */ true);
                    throw e;
                }
                int code = relay.await();
                server.awaitIdle();
                return end(code);
            }
        }
    }

    private int exec(List<String> words) throws IOException {
        ExecOptions exec = ExecOptions.parse(words);
        Entry entry = ExecCommand.usable(options.root(), exec.id());
        try (ExecProcess process = ExecProcess.start(options.root(), entry, exec)) {
            Relay relay = relay(process, process.terminal());
            report.ready();
            return end(relay.await());
        }
    }

    private int end(int code) {
        try {
            report.awaitEndOfCommand();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        return code;
    }

    private static Relay relay(Relay.Subject process, boolean terminal) throws IOException {
        if (terminal) {
            Console unused = Console.raw(); // of the engine, for this process alone: it ends with it
        }
        Relay relay = new Relay(process, terminal);
        relay.start();
        return relay;
    }
}
