// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core;

import io.virtcontainers.NetworkConfig;
import io.virtcontainers.SandboxConfig;
import io.virtcontainers.Template;
import io.virtcontainers.TemplateFactory;
import io.virtcontainers.UnsupportedException;
import io.virtcontainers.spi.Deadline;
import io.virtcontainers.spi.GuestImage;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/** The engine's templates, as its users see them. */
record Factory(Engine engine, Backends backends, Templates templates) implements TemplateFactory {
    private static final Duration PATIENCE = Duration.ofMinutes(3);
    private static final Path NOWHERE = Path.of("/nowhere");

    @Override
    public Template init(SandboxConfig config) {
        if (!(config.network() instanceof NetworkConfig.None) && !(config.network() instanceof NetworkConfig.User)) {
            throw new UnsupportedException(
                    "a machine that is cloned cannot have the network " + config.network() + ": its sandboxes boot");
        }
        PhaseRecorder phases = new PhaseRecorder(config.id());
        GuestImage image = engine.guestImage(config, phases);
        return templates.init(backends.machine(config, NOWHERE, image), phases, Deadline.after(PATIENCE));
    }

    @Override
    public List<Template> list() {
        return templates.list();
    }

    @Override
    public void destroy(String templateId) {
        templates.destroy(templateId, Deadline.after(PATIENCE));
    }
}
