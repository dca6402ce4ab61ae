// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import io.virtcontainers.CommandNotFoundException;
import io.virtcontainers.VirtException;
import io.virtcontainers.runtime.log.Level;
import io.virtcontainers.runtime.log.RuntimeLog;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.List;

/** The program. Exit codes: 0; 1 after an error, whose text is on stderr; of a workload that it runs, the workload's. */
public final class Main {
    static final int FAILED = 1;
    private static final int NOT_FOUND = 127; // sh(1)

    private Main() {}

    public static void main(String[] words) {
        int code = run(List.of(words));
        System.out.flush();
        System.exit(code);
    }

    private static int run(List<String> words) {
        GlobalOptions options;
        try {
            options = GlobalOptions.parse(words);
        } catch (UsageException e) {
            System.err.println(e.getMessage());
            return FAILED;
        }
        try {
            openLog(options);
            return Commands.run(options);
        } catch (UsageException | VirtException | IOException | UncheckedIOException e) {
            String message = text(e);
            RuntimeLog.current().write(Level.ERROR, message);
            System.err.println(message);
            return FAILED;
        }
    }

    private static void openLog(GlobalOptions options) {
        String command = options.command().orElse("help");
        try {
            RuntimeLog.open(options.log(), options.json(), command);
        } catch (IOException e) {
            // A log that cannot be written must not hide what the command says.
            System.err.println(
                    "cannot write the log " + options.log().map(Path::toString).orElse("") + ": " + e);
            return;
        }
        if (options.debug()) {
            RuntimeLog.current().level(Level.DEBUG);
        }
        // What changes something is told; of the others there are too many.
        boolean changes = Commands.CHANGING.contains(command);
        RuntimeLog.current()
                .write(changes ? Level.INFO : Level.DEBUG, "begins: " + String.join(" ", options.arguments()));
    }

    /** What an error says in one text, with what is known about the machine. */
    static String text(Exception e) {
        String message = e instanceof IOException ? e.toString() : String.valueOf(e.getMessage());
        if (e instanceof CommandNotFoundException program) {
            // The words by which engines tell these errors from others, to give 127 and 126.
            message = (program.exitCode() == NOT_FOUND ? "executable file not found in $PATH: " : "permission denied: ")
                    + message;
        }
        return e instanceof VirtException known && !known.diagnostics().isEmpty()
                ? message + System.lineSeparator() + known.diagnostics()
                : message;
    }
}
