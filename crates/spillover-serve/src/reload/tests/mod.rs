mod places;
mod read_files;
mod watch;
