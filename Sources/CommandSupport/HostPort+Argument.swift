public import ArgumentParser
public import Transport

/// `HOST:PORT`, with an IPv6 address in brackets.
extension HostPort: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
}
