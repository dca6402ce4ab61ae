// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime.log;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.slf4j.Marker;
import org.slf4j.event.KeyValuePair;
import org.slf4j.event.LoggingEvent;
import org.slf4j.helpers.LegacyAbstractLogger;
import org.slf4j.helpers.MessageFormatter;
import org.slf4j.spi.LoggingEventAware;

/**
 * A logger of slf4j on the {@link RuntimeLog}. Its name gives the fields {@code source} and {@code subsystem}; what a message
 * says as {@code sandbox=x} becomes that field too.
 */
final class KataLogger extends LegacyAbstractLogger implements LoggingEventAware {
    private static final long serialVersionUID = 1L;
    private static final String LIBRARY = "io.virtcontainers.";

    /** Of what guests write on their consoles; the API of the backend is this name. */
    private static final String CONSOLE = "io.virtcontainers.console";

    private static final Pattern IDS = Pattern.compile("\\b(sandbox|container)=([A-Za-z0-9][A-Za-z0-9_.-]{0,63})");

    KataLogger(String name) {
        this.name = name;
    }

    @Override
    public boolean isTraceEnabled() {
        return false;
    }

    @Override
    public boolean isDebugEnabled() {
        return isOfUs() && RuntimeLog.current().takes(Level.DEBUG);
    }

    @Override
    public boolean isInfoEnabled() {
        return isOfUs() && RuntimeLog.current().takes(Level.INFO);
    }

    @Override
    public boolean isWarnEnabled() {
        return RuntimeLog.current().takes(Level.WARNING);
    }

    @Override
    public boolean isErrorEnabled() {
        return RuntimeLog.current().takes(Level.ERROR);
    }

    /** Libraries such as netty say much that is not about sandboxes. */
    private boolean isOfUs() {
        return name.startsWith(LIBRARY);
    }

    @Override
    protected @Nullable String getFullyQualifiedCallerName() {
        return null;
    }

    @Override
    protected void handleNormalizedLoggingCall(
            org.slf4j.event.Level level,
            @Nullable Marker marker,
            @Nullable String pattern,
            Object @Nullable [] arguments,
            @Nullable Throwable throwable) {
        write(level, pattern, arguments, throwable, List.of());
    }

    @Override
    public void log(LoggingEvent event) {
        write(
                event.getLevel(),
                event.getMessage(),
                event.getArgumentArray(),
                event.getThrowable(),
                event.getKeyValuePairs() == null ? List.of() : event.getKeyValuePairs());
    }

    private void write(
            org.slf4j.event.Level level,
            @Nullable String pattern,
            Object @Nullable [] arguments,
            @Nullable Throwable throwable,
            List<KeyValuePair> pairs) {
        String message = String.valueOf(MessageFormatter.basicArrayFormat(pattern, arguments));
        if (throwable != null) {
            message += ": " + throwable;
        }
        Map<String, String> fields = new TreeMap<>();
        boolean console = name.equals(CONSOLE);
        if (console) {
            fields.put("source", "vmconsole");
        } else {
            fields.put("source", "virtcontainers");
            fields.put("subsystem", subsystem());
            Matcher ids = IDS.matcher(message);
            while (ids.find()) {
                fields.put(ids.group(1), ids.group(2));
            }
        }
        pairs.forEach(pair -> fields.put(pair.key, String.valueOf(pair.value)));
        RuntimeLog.current().write(of(level), message, fields);
    }

    /** {@code qemu} of {@code io.virtcontainers.hypervisor.qemu.QemuMachine}. */
    private String subsystem() {
        String[] names = name.split("\\.", -1);
        return names.length < 2 ? name : names[names.length - 2];
    }

    private static Level of(org.slf4j.event.Level level) {
        return switch (level) {
            case ERROR -> Level.ERROR;
            case WARN -> Level.WARNING;
            case INFO -> Level.INFO;
            case DEBUG, TRACE -> Level.DEBUG;
        };
    }
}
