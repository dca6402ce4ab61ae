// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime;

/** {@code --help}. */
final class Help {
    private static final String TEXT = """
            Usage: kata-runtime [OPTION...] COMMAND [OPTION...] [CONTAINER [ARGUMENT...]]

            Runs OCI containers, each pod in a virtual machine of its own.

            Options:
              --kata-config FILE     the configuration; kata-config prints one, with all options
              --root DIR             where the containers are kept (/run/kata-containers)
              --log FILE             where errors are also written
              --log-format FORMAT    of that file: text (default) or json
              --version, -v          print the version
              --help, -h             print this text

            Commands:
              create ID              make the container of a bundle: --bundle, --pid-file, --console-socket
              start ID...            let its process run
              run ID                 both, and wait for its end: as create, and --detach
              exec ID COMMAND        one more process in it: --process, --tty, --user, --cwd, --env, --detach, --pid-file
              kill ID [SIGNAL]       send a signal to its process, or to all with --all
              delete ID...           remove it; --force if it runs
              state ID               where it is in its life, as JSON
              list                   all containers: --format table|json, --quiet
              pause ID, resume ID    freeze its processes, and let them run on
              ps ID [ARGUMENT...]    its processes: --format table|json
              update ID              change its limits: --resources FILE, --memory, --cpu-quota, --pids-limit ...
              events ID              what it uses: --stats for once, --interval 5s
              spec                   write a config.json to begin with: --bundle
              kata-check             can this host run containers: --verbose, --strict
              kata-env               what the runtime works with: --json
              kata-network ACTION ID the guest's network: list-ifaces, list-routes; add-iface, del-iface, update-routes
                                     with a file of JSON, or -
              kata-overhead ID...    what a sandbox costs the host beyond its containers, as JSON
              factory ACTION         the template of machines, with enable_template: init, status, destroy
              kata-config            print a configuration file with all options and their defaults
              kata-log-parser FILE...
                                     merge logs by time: --sandbox ID, --container ID, --format text|json, --check
              version                print the version""";

    private Help() {}

    static int print() {
        System.out.println(TEXT);
        return 0;
    }
}
