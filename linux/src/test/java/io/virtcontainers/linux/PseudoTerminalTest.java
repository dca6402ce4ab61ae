// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.linux;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class PseudoTerminalTest {
    @TempDir
    Path directory;

    /** A receiver that writes into the terminal whose master it gets, and a program on the other side that reads it. */
    @Test
    void givesItsMasterToAReceiver() throws Exception {
        Path socket = directory.resolve("console");
        Process receiver = new ProcessBuilder("perl", "-MSocket", "-e", """
                        socket(my $s, AF_UNIX, SOCK_STREAM, 0) or die; bind($s, sockaddr_un($ARGV[0])) or die;
                        listen($s, 1) or die; $| = 1; print "listening\\n"; accept(my $c, $s) or die;
                        my ($data, $control) = ("\\0" x 64, "\\0" x 24);
                        my $vector = pack("P Q", $data, 64);
                        my $message = pack("Q L x4 P Q P Q i x4", 0, 0, $vector, 1, $control, 24, 0);
                        my $n = syscall(47, fileno($c), $message, 0); die "recvmsg" if $n < 1;
                        my $fd = (unpack("Q i i i", $control))[3];
                        open(my $t, "+<&=", $fd) or die; syswrite($t, "from afar\\n");
                        print substr($data, 0, $n), "\\n"; <STDIN>;
                        """, socket.toString())
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try (PseudoTerminal terminal = PseudoTerminal.open()) {
            assertThat(receiver.inputReader(UTF_8).readLine()).isEqualTo("listening");
            Process reader = new ProcessBuilder("head", "-n", "1")
                    .redirectInput(terminal.device().toFile())
                    .start();
            terminal.sendTo(socket);
            assertThat(reader.inputReader(UTF_8).readLine()).isEqualTo("from afar");
            assertThat(reader.waitFor(10, TimeUnit.SECONDS)).isTrue();
        } finally {
            receiver.destroyForcibly();
        }
    }

    @Test
    void saysThatNobodyListens() {
        try (PseudoTerminal terminal = PseudoTerminal.open()) {
            assertThat(terminal.device().toString()).startsWith("/dev/pts/");
            assertThatThrownBy(() -> terminal.sendTo(directory.resolve("nobody")))
                    .isInstanceOf(LinuxException.class)
                    .hasMessageContaining("No such file");
        }
    }
}
