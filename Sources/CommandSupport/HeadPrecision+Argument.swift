public import ArgumentParser
public import Transport

/// `automatic`, `8bit` or `stored`.
extension HeadPrecision: ExpressibleByArgument {}
