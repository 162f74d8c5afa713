export { composePicture, type ComposeOptions } from "./compose.ts";
export { pictures, writeGallery, type GalleryPicture, type WriteGalleryOptions } from "./gallery.ts";
