/// The running service.
public enum Daemon {
    /// Runs until a signal ends it; gives back the status with which the process is to exit.
    public static func run(_ options: DaemonOptions) -> Int32 {
        1
    }
}
