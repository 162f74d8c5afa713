export { pictures, writeGallery, type GalleryPicture, type WriteGalleryOptions } from "./gallery.ts";
