mod places;
mod read_files;
