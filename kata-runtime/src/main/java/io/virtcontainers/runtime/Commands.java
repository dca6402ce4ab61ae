// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

import java.io.IOException;
import java.util.List;
import java.util.Set;

/** The commands by their names. */
final class Commands {
    static final String SUPERVISE = "supervise";

    /** Those after which something is another way than before. */
    static final Set<String> CHANGING =
            Set.of("create", "run", "start", "exec", "kill", "delete", "pause", "resume", "update", SUPERVISE);

    private Commands() {}

    static int run(GlobalOptions options) throws IOException {
        String command = options.command().orElse("help");
        List<String> words = options.arguments();
        return switch (command) {
            case "create" -> CreateCommand.create(options, words);
            case "run" -> CreateCommand.run(options, words);
            case "start" -> StartCommand.run(options, words);
            case "exec" -> ExecCommand.run(options, words);
            case "kill" -> KillCommand.run(options, words);
            case "delete" -> DeleteCommand.run(options, words);
            case "state" -> StateCommand.run(options, words);
            case "list" -> ListCommand.run(options, words);
            case "pause" -> PauseCommand.pause(options, words);
            case "resume" -> PauseCommand.resume(options, words);
            case "ps" -> PsCommand.run(options, words);
            case "update" -> UpdateCommand.run(options, words);
            case "events" -> EventsCommand.run(options, words);
            case "spec" -> SpecCommand.run(words);
            case "kata-check", "check" -> CheckCommand.run(options, words);
            case "kata-env", "env" -> EnvCommand.run(options, words);
            case "kata-network" -> NetworkCommand.run(options, words);
            case "kata-overhead" -> OverheadCommand.run(options, words);
            case "factory" -> FactoryCommand.run(options, words);
            case "kata-config" -> ConfigCommand.run(words);
            case "kata-log-parser" -> LogParserCommand.run(words);
            case GlobalOptions.SHOW_PATHS -> ConfigCommand.paths();
            case "version" -> Versions.print();
            case "help" -> Help.print();
            case SUPERVISE -> Supervisor.run(options, words);
            default -> throw new UsageException("Invalid command \"" + command + '"');
        };
    }
}
