// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.runtime.config;

import io.virtcontainers.HypervisorConfig;
import io.virtcontainers.NetworkModel;
import io.virtcontainers.SandboxConfig;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/** A value for every option; checked. Immutable. */
public final class Configuration {
    /**
     * A value that is not the default, with where it comes from.
     *
     * @param place {@code <file>:<line>} or an annotation, for errors
     * @param text as it stands there
     */
    record Setting(Object value, String place, String text) {}

    private final Optional<Path> file;
    private final Map<ConfigOption<?>, Setting> settings;

    private Configuration(Optional<Path> file, Map<ConfigOption<?>, Setting> settings) {
        this.file = file;
        this.settings = settings;
    }

    /** @throws io.virtcontainers.InvalidConfigException if settings contradict each other */
    static Configuration of(Optional<Path> file, Map<ConfigOption<?>, Setting> settings) {
        Configuration configuration = new Configuration(file, new LinkedHashMap<>(settings));
        ConfigurationRules.check(configuration);
        return configuration;
    }

    /** All options by default. */
    public static Configuration defaults() {
        return of(Optional.empty(), Map.of());
    }

    /** The file that it was read from, empty if there is none. */
    public Optional<Path> file() {
        return file;
    }

    /** The value that was given, or the default. */
    @SuppressWarnings("unchecked") // a setting has what its option has read
    public <T> T get(ConfigOption<T> option) {
        Setting setting = settings.get(option);
        return setting == null ? option.standard() : (T) setting.value();
    }

    Map<ConfigOption<?>, Setting> settings() {
        return settings;
    }

    /** Where a value comes from, for the error that it is wrong. */
    Optional<Setting> setting(ConfigOption<?> option) {
        return Optional.ofNullable(settings.get(option));
    }

    /**
     * With what the annotations of a container or pod say. Annotations that are not Kata's are left alone.
     *
     * @throws io.virtcontainers.InvalidConfigException if one is unknown, not enabled, or has a value that it cannot have; or
     *     if a file has not the hash that is given for it
     */
    public Configuration withAnnotations(Map<String, String> annotations) {
        return Annotations.apply(this, annotations);
    }

    /** What {@link ConfigurationFile#parse} makes this of again: each option that has not its default, with its value. */
    public String toToml() {
        return ConfigurationText.of(this);
    }

    /** What runs the machine, for the library. */
    public HypervisorConfig hypervisor() {
        return SandboxSettings.hypervisor(this);
    }

    /**
     * What the options say about a sandbox: its processors and memory, its hypervisor, whether it is a clone. The network is
     * the caller's, by {@link #networkModel}.
     */
    public SandboxConfig.Builder applyTo(SandboxConfig.Builder sandbox) {
        return SandboxSettings.apply(this, sandbox);
    }

    /** How links of a network namespace are wired; empty: not at all. */
    public Optional<NetworkModel> networkModel() {
        return SandboxSettings.networkModel(this);
    }
}
