public import ArgumentParser
public import Transport

/// `automatic`, `local` or `fetched`.
extension WeightsOrigin: ExpressibleByArgument {}
